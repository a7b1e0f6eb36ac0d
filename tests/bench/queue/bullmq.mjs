// BullMQ over redis-server with its log synced for each write (appendfsync always): the same payload, slots and window as
// bench_queue. The processor that is counted is redis-server's alone. GOPMILL_NODE_MODULES: where the package is.
//   node bullmq.mjs life|rate [--nodes N] [--slots N] [--tasks N] [--window N] [--rate N] --dir FOLDER
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { Queue, Worker } = createRequire(process.env.GOPMILL_NODE_MODULES + '/')('bullmq');
const text = (value) => ({ type: 'string', default: value });
const { values: o, positionals } = parseArgs({
  allowPositionals: true,
  options: { nodes: text('8'), slots: text('1'), tasks: text('1000'), window: text('0'), rate: text('0'), dir: text('.') },
});
const mode = positionals[0];
const [nodes, slots, tasks, rate] = [o.nodes, o.slots, o.tasks, o.rate].map(Number);
const window = rate > 0 ? Infinity : Number(o.window) || nodes * slots * 2;
if (!['life', 'rate'].includes(mode) || (mode === 'rate') !== (rate > 0)) throw new Error(`no such mode: ${mode}`);

const folder = mkdtempSync(join(resolve(o.dir), 'bq-'));
const disk = JSON.parse(execFileSync(process.env.GOPMILL_BENCH_DISK, [folder], { encoding: 'utf8' }));
const socket = join(folder, 'redis');
const server = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', '',
  '--appendonly', 'yes', '--appendfsync', 'always', '--maxclients', '15000'], { stdio: 'ignore' });
process.on('exit', () => { server.kill('SIGKILL'); rmSync(folder, { recursive: true, force: true }); });
const cpu = () => { // s: utime and stime of /proc/PID/stat, in hundredths
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};
const connection = { path: socket, maxRetriesPerRequest: null };
const options = { connection, prefix: 'b' };

const announced = new Float64Array(tasks), assigned = new Float64Array(tasks), accepted = [];
const ends = new Uint8Array(tasks);
const fill = 'x'.repeat(185); // with the number in JSON about 200 bytes
let put = 0, done = 0, adding = 0, failed = null;

const queue = new Queue('bench', options);
queue.on('error', () => {}); // until redis-server listens
await queue.waitUntilReady();
const workers = [];
for (let i = 0; i < nodes; i++) {
  const w = new Worker('bench', async (job) => {
    if (assigned[job.data.n] !== 0) failed = `task ${job.data.n} was given out twice`;
    assigned[job.data.n] = performance.now();
  }, { ...options, concurrency: slots, removeOnComplete: { count: 0 } });
  w.on('completed', (job) => { ends[job.data.n]++; done++; }); // after redis-server has answered
  w.on('error', (e) => { failed = e.message; });
  await w.waitUntilReady();
  workers.push(w);
}
const add = async (n) => {
  adding++;
  await queue.add('t', { n, fill });
  accepted.push(performance.now() - announced[n]);
  adding--;
};
const cpuBefore = cpu(), start = performance.now();
while (done < tasks && !failed) {
  while (put < tasks && put - done < window && adding < 1000) {
    const due = rate > 0 ? start + put * 1000 / rate : performance.now();
    if (due > performance.now()) break;
    announced[put] = due;
    add(put++).catch((e) => { failed = e.message; });
  }
  await (rate > 0 ? pause(1) : new Promise(setImmediate));
}
const seconds = (performance.now() - start) / 1000, used = cpu() - cpuBefore;
if (failed || ends.some((n) => n !== 1)) throw new Error(failed ?? 'a task was not done exactly once');
const share = (list, p) => Math.round(Float64Array.from(list).sort()[Math.floor((list.length - 1) * p)] * 10000) / 10; // us
const dispatch = assigned.map((t, i) => t - announced[i]);
console.log(JSON.stringify({
  system: 'BullMQ, appendfsync always', mode, nodes, slots, payload: 200, ...disk, tasks, rate, seconds, tasks_s: tasks / seconds,
  cpu_us: used * 1e6 / tasks, dispatch_p50_us: share(dispatch, 0.5), dispatch_p99_us: share(dispatch, 0.99),
  accept_p50_us: share(accepted, 0.5), accept_p99_us: share(accepted, 0.99),
}));
process.exit(0);
