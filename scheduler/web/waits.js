// What a job's attempts do not say by themselves: how long work lay ready until it got a place, and which attempt is another try of
// which. Of a task that takes items while others still make them no moment is known from which on the first of them was ready.

const isOverlap = (a, b) => a.instance === b.instance && (a.chunks === 0 || b.chunks === 0
  ? a.first_chunk === b.first_chunk : a.first_chunk < b.first_chunk + b.chunks && b.first_chunk < a.first_chunk + a.chunks);

// Attempts by their task, in order.
function byTask(attempts) {
  const lists = new Map();
  for (const a of attempts) {
    if (!lists.has(a.task)) {
      lists.set(a.task, []);
    }
    lists.get(a.task).push(a);
  }
  return lists;
}

// When the last of `needs` was done, in ms; null: one of them was not.
function endOf(needs, lists) {
  let last = null;
  for (const need of needs) {
    const ends = (lists.get(need) ?? []).filter((a) => a.outcome === 'done').map((a) => Date.parse(a.ended));
    if (ends.length === 0) {
      return null;
    }
    last = ends.reduce((most, e) => Math.max(most, e), last ?? 0);
  }
  return last;
}

// attempts, tasks: of /v1/jobs/ID/attempts, in order, and /tasks, which may be null. Returns { waits: [{ task, instance, first_chunk,
// chunks, why, from, to }], retries: Map of an attempt's number to that of the one which it tries again }; to null: it still waits.
export function waitsOf(attempts, tasks) {
  const lists = byTask(attempts);
  const waits = [];
  const retries = new Map();
  const wait = (a, why, from, to) => {
    if (to === null || to > from) {
      waits.push({ task: a.task, instance: a.instance, first_chunk: a.first_chunk, chunks: a.chunks, why, from, to });
    }
  };
  for (const task of tasks ?? []) {
    const from = (task.streams ?? []).length > 0 ? null : endOf(task.needs ?? [], lists);
    const first = lists.get(task.name)?.[0];
    if (from !== null && first) {
      wait(first, 'for a place', from, Date.parse(first.started));
    } else if (from !== null && task.state === 'ready') {
      wait({ task: task.name, instance: 0, first_chunk: -1, chunks: 0 }, 'for a place', from, null);
    }
  }
  for (const list of lists.values()) {
    list.forEach((a, i) => {
      if (a.outcome !== 'failed' && a.outcome !== 'lost') {
        return;
      }
      const next = list.slice(i + 1).find((b) => !retries.has(b.number) && isOverlap(a, b));
      if (next) {
        retries.set(next.number, a.number);
        wait(next, 'to be tried again', Date.parse(a.ended), Date.parse(next.started));
      }
    });
  }
  return { waits, retries };
}
