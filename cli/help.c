/* Help texts. docs/man/gopmill.1 says more. */
#include "cli/args.h"

#define COMMON_HELP                                                                                \
    "  --json            one JSON document on stdout\n"                                            \
    "  --quiet           no progress and no messages but errors\n"                                 \
    "  --help            this text\n"
#define SCHEDULER_HELP                                                                             \
    "  --scheduler URL   unix:/path/http.sock, http://host:port or https://host:port; several:\n"  \
    "                    commas between (default: GOPMILL_SCHEDULER)\n"                            \
    "  --token-file FILE with the token that it wants (default: GOPMILL_TOKEN_FILE)\n"             \
    "  --ca FILE         PEM of who signed its certificate (default: GOPMILL_CA, else the\n"       \
    "                    system's)\n"

#define SENDS_HELP                                                                                 \
    "  --parallel N      parts sent at once, 1..64 (default 4)\n"                                  \
    "  --storage-ca FILE PEM of who signed the object store's certificate\n"                       \
    "  --verbose         say why a file is cut or sent otherwise than usual\n"

static const char OVERVIEW[] =
    "gopmill: a video transcoding farm\n"
    "\n"
    "  gopmill transcode INPUT --out DIR   make the ladder; starts a farm on this machine\n"
    "  gopmill plan INPUT                  dry run: ladder, segments, time, bytes\n"
    "  gopmill submit INPUT --out DIR      give the job to a running farm\n"
    "  gopmill upload FILE                 put a file into its object storage, for jobs\n"
    "  gopmill watch JOB                   follow it\n"
    "  gopmill job list|show|cancel|explain|retry|priority|tasks|attempts|logs|report|trace\n"
    "  gopmill node list|show|drain|resume|restart|quarantine\n"
    "  gopmill pipeline list|show|check|store|delete\n"
    "  gopmill asset list|show|delete      titles that were published\n"
    "  gopmill uploads list|show|delete    files that are on their way into the farm\n"
    "  gopmill events list|redeliver|follow   what webhooks did not take; what happens\n"
    "  gopmill farm                        the farm at a glance\n"
    "  gopmill top                         the same, live, on the whole terminal\n"
    "  gopmill storage sweep               delete what crashes left in the work store\n"
    "  gopmill keys make|list|rotate|revoke   the farm's keys, on the scheduler's machine\n"
    "  gopmill token new|list|revoke       who may ask its API for what, on the same machine\n"
    "  gopmill devices                     what this machine decodes and encodes with\n"
    "  gopmill doctor                      what is wrong with this machine, or the farm\n"
    "  gopmill completion bash|zsh|fish    a script that completes commands in a shell\n"
    "  gopmill version\n"
    "\n"
    "Each takes --help. --scheduler URL (or GOPMILL_SCHEDULER) names a running farm.\n"
    "Data goes to stdout, progress and messages to stderr.\n"
    "Exit: 0 done, 1 job failed, 2 usage, 3 input unusable, 4 farm not reachable, 5 cancelled,\n"
    "130 interrupted twice.\n";

static const char TRANSCODE[] =
    "gopmill transcode INPUT --out DIR [options]\n"
    "Transcodes one file. Without --scheduler or GOPMILL_SCHEDULER it starts a scheduler and "
    "nodes\n"
    "as child processes, and takes them down at the end. Prints the path of the main output on\n"
    "stdout: master.m3u8, else manifest.mpd, else each MP4.\n"
    "Ctrl-C cancels the job and waits for its end; a second one kills.\n"
    "\n"
    "  --out DIR         folder for the result; made if missing\n"
    "  --replace         take the place of another title that is published there\n"
    "  --backup DIR      copy the result there, too; needs a running farm\n"
    "  --pipeline P      name or YAML file (default vod-h264)\n"
    "  --nodes N         nodes to start, 1..64 (default 1); they share this machine's CPUs\n"
    "  --devices         use this machine's GPUs too: proved first, which takes seconds; the\n"
    "                    proofs are kept with --state (see `gopmill devices`)\n"
    "  --state DIR       keep the farm's state and logs there (default: a temporary folder);\n"
    "                    the same again goes on with a job that was killed\n"
    "  --priority N      0..100 (default 50): below 25 batch, from 75 on high\n"
    "  --external-id ID  your own name for the job, kept with it\n" SCHEDULER_HELP COMMON_HELP;

static const char PLAN[] =
    "gopmill plan INPUT [options]\n"
    "Inspects and plans, makes nothing: ladder, segments, estimated time and bytes.\n"
    "\n"
    "  --pipeline P      name or YAML file (default vod-h264)\n"
    "  --devices         plan for this machine's GPUs too\n"
    "  --state DIR       keep the farm's state and logs there\n" SCHEDULER_HELP COMMON_HELP;

static const char SUBMIT[] =
    "gopmill submit INPUT --out DIR [options]\n"
    "Gives a job to a running farm and prints its id. INPUT is a file here, which is uploaded "
    "where\n"
    "the farm takes uploads: the job begins while the rest of it is sent. Elsewhere, with\n"
    "--no-upload, and as file:///folder/name, it is a path that the farm's machines see; or it is\n"
    "s3://bucket/key of its object storage, or upload:ID. DIR is a path that they see, or\n"
    "s3://bucket/prefix.\n"
    "\n"
    "  --out DIR         folder for the result\n"
    "  --replace         take the place of another title that is published there\n"
    "  --backup DIR      copy the result there, too\n"
    "  --pipeline P      name or YAML file (default vod-h264)\n"
    "  --priority N      0..100 (default 50): below 25 batch, from 75 on high\n"
    "  --tenant NAME     whose job it is (default: default); tenants share the farm\n"
    "  --deadline WHEN   it should be done by then: 90s, 30m, 2h, 3d from now, or ms since 1970\n"
    "  --external-id ID  your own name for the job, kept with it\n"
    "  --webhook URL     is told of the job's events, where the farm allows it\n"
    "  --id ULID         the job's id; a second job of that id is refused\n"
    "  --watch           follow it to its end\n"
    "  --no-upload       INPUT is a path that the farm's machines see\n" SENDS_HELP SCHEDULER_HELP
        COMMON_HELP;

static const char UPLOAD[] =
    "gopmill upload FILE [options]\n"
    "Puts a file into the farm's object storage and prints upload:ID, which jobs take as INPUT for "
    "a\n"
    "day after. The same again after a kill, or after Ctrl-C, goes on with it. At the end every "
    "part\n"
    "is there with the hash that it has here.\n"
    "\n"
    "  --tenant NAME     whose jobs may read it (default: anybody's)\n" SENDS_HELP SCHEDULER_HELP
        COMMON_HELP;

static const char WATCH[] =
    "gopmill watch JOB [options]\n"
    "Shows the job's progress until it ends; exits as the job did. Ctrl-C stops watching, not the\n"
    "job.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char JOB[] = "gopmill job list              jobs, newest first\n"
                          "gopmill job show JOB          one job with its tasks\n"
                          "gopmill job cancel JOB        ask for it to be cancelled\n"
                          "gopmill job explain JOB       why its tasks wait, or where they run\n"
                          "gopmill job retry JOB         make again what failed\n"
                          "gopmill job priority JOB N    another priority, 0..100\n"
                          "gopmill job tasks JOB         what it is made of\n"
                          "gopmill job attempts JOB      what was tried where, and how it ended\n"
                          "gopmill job logs JOB          its course in sentences\n"
                          "gopmill job report JOB        its report.json\n"
                          "gopmill job trace JOB         its course for a trace viewer\n"
                          "\nEach takes --help.\n";

static const char NODE[] =
    "gopmill node list             nodes, what they have and use\n"
    "gopmill node show NODE        one node in full, and what runs there\n"
    "gopmill node drain NODE       give it nothing new; it ends what it has\n"
    "gopmill node quarantine NODE  the same, or of one device, with a reason that is shown\n"
    "gopmill node resume NODE      give it tasks again\n"
    "gopmill node restart NODE...  start nodes anew, one after the other\n"
    "\nEach takes --help.\n";

static const char PIPELINE[] = "gopmill pipeline list         pipelines by name\n"
                               "gopmill pipeline show NAME    one as YAML\n"
                               "gopmill pipeline check FILE   what is wrong with a file\n"
                               "gopmill pipeline store FILE   give it to the farm, for all\n"
                               "gopmill pipeline delete NAME  take one back that was stored\n"
                               "\nEach takes --help.\n";

static const char STORAGE[] =
    "gopmill storage sweep         delete what crashes left in the work store\n"
    "\nIt takes --help.\n";

static const char STORAGE_SWEEP[] =
    "gopmill storage sweep [options]\n"
    "Deletes what lies in the farm's work store of jobs that have ended, or that nobody knows and\n"
    "that are a week old, and shows it. The scheduler does so by itself every hour.\n"
    "\n"
    "  --dry-run         show it, delete nothing\n" SCHEDULER_HELP COMMON_HELP;

static const char JOB_LIST[] =
    "gopmill job list [options]\n"
    "Lists jobs, newest first.\n"
    "\n"
    "  --state S         only jobs that are queued, running, publishing, done, failed,\n"
    "                    cancelling or cancelled\n"
    "  --tenant NAME     only jobs of that tenant\n"
    "  --pipeline NAME   only jobs of that pipeline\n"
    "  --external-id ID  only jobs that were given this name\n"
    "  --query TEXT      only jobs that have it in their id, external id or source's name\n"
    "  --limit N         at most N jobs, 1..500 (default 100)\n" SCHEDULER_HELP COMMON_HELP;

static const char JOB_SHOW[] = "gopmill job show JOB [options]\n"
                               "Shows one job with its tasks.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char JOB_CANCEL[] =
    "gopmill job cancel JOB [options]\n"
    "Asks the farm to cancel a job; does not wait for its end.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char JOB_EXPLAIN[] =
    "gopmill job explain JOB [options]\n"
    "Says of each unfinished task why it waits or where it runs.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char JOB_RETRY[] =
    "gopmill job retry JOB [options]\n"
    "Of a job that failed makes again only what failed, while what it had made is kept\n"
    "(keep_failed_ms of the scheduler); else, and of a job that was cancelled, all of it is made\n"
    "again as a new job of the same source, pipeline and destination. Prints the job's id.\n\n"
    "  --force             make all of it again\n" SCHEDULER_HELP COMMON_HELP;

static const char JOB_PRIORITY[] =
    "gopmill job priority JOB N [options]\n"
    "Gives an unfinished job another priority, 0..100; what runs goes on.\n\n" SCHEDULER_HELP
        COMMON_HELP;

static const char JOB_TASKS[] = "gopmill job tasks JOB [options]\n"
                                "Lists the job's tasks: how far they are, what they wait for, "
                                "where they run.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char JOB_ATTEMPTS[] =
    "gopmill job attempts JOB [options]\n"
    "Lists what was tried: on which node and device, how long, and how it ended.\n\n" SCHEDULER_HELP
        COMMON_HELP;

static const char JOB_LOGS[] = "gopmill job logs JOB [options]\n"
                               "Prints the course of the job in sentences. The programs' own logs "
                               "stay on their machines.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char JOB_REPORT[] = "gopmill job report JOB [options]\n"
                                 "Prints the job's report as JSON.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char JOB_TRACE[] =
    "gopmill job trace JOB [options]\n"
    "Writes the job's course as Chrome trace events: what ran on which device of which node, what\n"
    "waited, and what happened. https://ui.perfetto.dev and chrome://tracing show it.\n"
    "\n"
    "  --out FILE        write it there, not to stdout\n" SCHEDULER_HELP COMMON_HELP;

static const char ASSET[] = "gopmill asset list            titles that were published\n"
                            "gopmill asset show JOB        one of them, by its job\n"
                            "gopmill asset delete JOB      take it down: its files go\n"
                            "\nEach takes --help.\n";

static const char ASSET_LIST[] =
    "gopmill asset list [options]\n"
    "Lists the titles that were published, newest first.\n"
    "\n"
    "  --query TEXT      only those that have it in their title or destination\n"
    "  --limit N         at most N titles, 1..500 (default 100)\n" SCHEDULER_HELP COMMON_HELP;

static const char ASSET_SHOW[] =
    "gopmill asset show JOB [options]\n"
    "Shows the title that a job published: renditions, manifests, poster.\n\n" SCHEDULER_HELP
        COMMON_HELP;

static const char ASSET_DELETE[] =
    "gopmill asset delete JOB [options]\n"
    "Takes the title that a job published down: its files at the destination and the backup are\n"
    "deleted, manifests first, then it leaves the list. There is no way back. It is done when\n"
    "`asset show JOB` does not find it; until then that says what is in the way.\n"
    "\n"
    "  --force           of one that is being taken down: give that up and forget the title,\n"
    "                    whatever of it is left there\n" SCHEDULER_HELP COMMON_HELP;

static const char UPLOADS[] = "gopmill uploads list          those that are not complete\n"
                              "gopmill uploads show UPLOAD   one of them, also a complete one\n"
                              "gopmill uploads delete UPLOAD take it out of the object storage\n"
                              "\nEach takes --help. `gopmill upload FILE` makes one.\n";

static const char UPLOADS_LIST[] =
    "gopmill uploads list [options]\n"
    "Lists the uploads that are not complete.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char UPLOADS_SHOW[] =
    "gopmill uploads show UPLOAD [options]\n"
    "Shows an upload, by its id or as upload:ID.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char UPLOADS_DELETE[] = "gopmill uploads delete UPLOAD [options]\n"
                                     "Deletes an upload. Jobs that wait for its parts fail, and so "
                                     "do those that read it later.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char EVENTS[] =
    "gopmill events list               events that webhooks did not take\n"
    "gopmill events redeliver JOB|ID   send them again\n"
    "gopmill events follow             what happens in the farm, as it happens\n"
    "\nEach takes --help.\n";

static const char EVENTS_LIST[] =
    "gopmill events list [options]\n"
    "Lists dead letters: events of jobs that a webhook did not take in the time that it has, with\n"
    "the answer to the last try; oldest first.\n"
    "\n"
    "  --dead            these\n"
    "  --waiting         those that are on their way instead\n"
    "  --limit N         at most N, 1..500 (default 100)\n" SCHEDULER_HELP COMMON_HELP;

static const char EVENTS_REDELIVER[] =
    "gopmill events redeliver JOB|ID | --all [options]\n"
    "Sends dead letters again, with all their tries: those of a job, one by the id that\n"
    "`gopmill events list` shows, or all.\n"
    "\n"
    "  --all             every dead letter\n" SCHEDULER_HELP COMMON_HELP;

static const char EVENTS_FOLLOW[] =
    "gopmill events follow [options]\n"
    "Prints what happens to jobs, titles and nodes as it happens, a line each, until Ctrl-C. It "
    "goes\n"
    "on where it was when the scheduler was away; `reset` says that events are missing.\n"
    "\n"
    "  --after ID        first what came after that event, which an earlier run showed\n"
    "  --json            a JSON document a line: `event`, `id`, `data` as the API has them;\n"
    "                    also the farm at a glance\n"
    "  --quiet           no messages but errors\n"
    "  --help            this text\n" SCHEDULER_HELP;

static const char FARM[] =
    "gopmill farm [options]\n"
    "Shows the farm at a glance: whether it takes jobs, its queue, nodes and throughput, and what\n"
    "failed, with what to do about it.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char NODE_LIST[] = "gopmill node list [options]\n"
                                "Lists the farm's nodes.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char NODE_SHOW[] =
    "gopmill node show NODE [options]\n"
    "Shows one node in full: its build and key, its devices with what is left of each, what is\n"
    "held against them, and what runs there.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char NODE_DRAIN[] =
    "gopmill node drain NODE [options]\n"
    "Takes a node out of service without losing work: it ends the tasks that it has and gets no\n"
    "new ones. `gopmill node list` shows when it has none.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char NODE_RESUME[] =
    "gopmill node resume NODE [options]\n"
    "Gives a drained node, or what is in quarantine there, tasks again: by the operator or by the\n"
    "scheduler, which begins to count anew.\n"
    "\n"
    "  --device ID       that device alone, as `gopmill node list --json` names it; a drained "
    "node\n"
    "                    stays drained\n" SCHEDULER_HELP COMMON_HELP;

static const char NODE_RESTART[] =
    "gopmill node restart NODE... | --all [options]\n"
    "Starts nodes anew, one after the other, and loses nothing: a node gets nothing new, ends the\n"
    "tasks that it has, ends with status 75, is started again by what started it (systemd, a\n"
    "script), and gets tasks again. Waits until all are back. When this command is interrupted, "
    "the\n"
    "nodes that it began with go on; `gopmill node resume` takes the request back.\n"
    "\n"
    "  --all             every node that is connected\n"
    "  --at-once N       so many at the same time, 1..64, default 1\n"
    "  --timeout S       seconds that each may take, default 3600\n"
    "  --force           also where a job would find no other node meanwhile\n" SCHEDULER_HELP
        COMMON_HELP;

static const char NODE_QUARANTINE[] =
    "gopmill node quarantine NODE --reason TEXT [options]\n"
    "Gives a node, or one of its devices, nothing new until it is resumed; it ends what it has. "
    "It\n"
    "stays so when node or scheduler start anew, and `gopmill node list` shows the reason.\n"
    "\n"
    "  --reason TEXT     why: a line of at most 239 bytes\n"
    "  --device ID       that device alone, as `gopmill node list --json` names "
    "it\n" SCHEDULER_HELP COMMON_HELP;

static const char PIPELINE_LIST[] = "gopmill pipeline list [options]\n"
                                    "Lists the pipelines by name.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char PIPELINE_SHOW[] = "gopmill pipeline show NAME [options]\n"
                                    "Prints a pipeline's YAML.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char PIPELINE_CHECK[] =
    "gopmill pipeline check FILE [options]\n"
    "Checks a pipeline file; says file, line and what is wrong.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char PIPELINE_STORE[] =
    "gopmill pipeline store FILE [options]\n"
    "Stores a pipeline, with the images that it names, in the farm, under the `name` in it; one "
    "that\n"
    "was stored under that name before is replaced, for jobs that come then. All tenants find it.\n"
    "A token needs the role operate.\n\n" SCHEDULER_HELP COMMON_HELP;

static const char PIPELINE_DELETE[] =
    "gopmill pipeline delete NAME [options]\n"
    "Deletes a pipeline that was stored; jobs that were submitted with it go on.\n"
    "A token needs the role operate.\n\n" SCHEDULER_HELP COMMON_HELP;

#define KEYS_HELP "  --keys DIR        folder of the keys (default /etc/gopmill/keys)\n" COMMON_HELP

static const char KEYS[] =
    "gopmill keys make NAME        a key for a node, or for a person\n"
    "gopmill keys list             who has keys, and until when\n"
    "gopmill keys rotate NAME      a new key; the old one is taken for a while yet\n"
    "gopmill keys revoke NAME      its keys are taken no more\n"
    "\nEach takes --help. They read and write a folder on the scheduler's machine, as the\n"
    "scheduler's user, and ask no farm.\n";

static const char KEYS_MAKE[] =
    "gopmill keys make NAME --role ROLE [options]\n"
    "Makes a key pair, puts the public key onto the scheduler's list and prints the path of the\n"
    "file that NAME is to be given. The first one makes the scheduler's own pair, too.\n"
    "\n"
    "  --role ROLE       node (NAME is its node_id), client or admin\n" KEYS_HELP;

static const char KEYS_LIST[] = "gopmill keys list [options]\n"
                                "Lists names, roles and public keys.\n\n" KEYS_HELP;

static const char KEYS_ROTATE[] =
    "gopmill keys rotate NAME [options]\n"
    "Makes another pair for NAME. The scheduler takes the old key until it ends. `server`, the\n"
    "scheduler's own, takes two turns: the first tells nodes' files of the key to come, the "
    "second\n"
    "puts it in place.\n"
    "\n"
    "  --hours N         how long the old key is taken yet, 0..8760 (default 24)\n" KEYS_HELP;

static const char KEYS_REVOKE[] =
    "gopmill keys revoke NAME [options]\n"
    "Takes all keys of NAME off the list. When the scheduler has read it again, their connections\n"
    "end.\n\n" KEYS_HELP;

#define TOKEN_HELP                                                                                 \
    "  --file FILE       the scheduler's `http_tokens` (default "                                  \
    "/etc/gopmill/tokens)\n" COMMON_HELP

static const char TOKEN[] =
    "gopmill token new [ID]        a token for a program or a person\n"
    "gopmill token list            which there are, and until when\n"
    "gopmill token revoke ID       it is taken no more\n"
    "\nEach takes --help. They read and write a file on the scheduler's machine, as the\n"
    "scheduler's user, and ask no farm. The file has the tokens' hashes alone.\n";

static const char TOKEN_NEW[] =
    "gopmill token new [ID] --role ROLE [options]\n"
    "Makes a token, puts its hash into the file and prints it, this once. The scheduler takes it\n"
    "within seconds. Clients have it in a file of mode 0600: --token-file, GOPMILL_TOKEN_FILE.\n"
    "\n"
    "  --role ROLE       submit: jobs and uploads of its tenant; operate: all jobs, nodes and the\n"
    "                    work store; admin: also\n"
    "                    to give up the removal of a title\n"
    "  --tenant NAME     of a submit token: whose jobs (default: default); `*`: all tenants'\n"
    "  --expires WHEN    12h, 90d from now, or 2026-01-31T12:00:00Z (default: never)\n" TOKEN_HELP;

static const char TOKEN_LIST[] = "gopmill token list [options]\n"
                                 "Lists ids, roles, tenants and ends.\n\n" TOKEN_HELP;

static const char TOKEN_REVOKE[] =
    "gopmill token revoke ID [options]\n"
    "Takes a token off the file; the scheduler refuses it within seconds.\n\n" TOKEN_HELP;

static const char DEVICES[] =
    "gopmill devices [options]\n"
    "Says what devices this machine has to decode and encode with, and what to do about those "
    "that\n"
    "could be of more use. Asks no farm.\n"
    "\n"
    "  --prove           try every encoder, decoder and scaler; exit 1 when one fails or none is "
    "tried.\n"
    "                    A node opens what passed in its workers' sandbox, too\n"
    "  --sysfs-root DIR  look at the files of another machine, kept below DIR; no driver is asked\n"
    "  --state DIR       with --prove: a node's state folder, whose proofs are used and kept; not "
    "one of\n"
    "                    a node that runs\n" COMMON_HELP;

static const char TOP[] =
    "gopmill top [options]\n"
    "Shows the farm on the whole terminal, live: queue, nodes with what runs there, and jobs that "
    "are\n"
    "under way. Keys: q quits, j and k scroll the jobs, r asks now.\n"
    "\n"
    "  --once            print one frame (80 x 24 where stdout is no terminal)\n" SCHEDULER_HELP
        COMMON_HELP;

static const char DOCTOR[] =
    "gopmill doctor [options]\n"
    "Looks whether this machine has what gopmill needs, and with --scheduler or GOPMILL_SCHEDULER\n"
    "how that farm is: a line each that says ok, warn or bad, and what to do. Exit 1 where one is "
    "bad.\n"
    "\n"
    "  --state DIR       the folder that is tried for state and scratch files (default: "
    "TMPDIR)\n"
    "  --config FILE     a scheduler's or node's, whose ports and stores are looked at (default:\n"
    "                    scheduler.yaml and node.yaml in /etc/gopmill)\n" SCHEDULER_HELP
        COMMON_HELP;

static const char COMPLETION[] =
    "gopmill completion bash|zsh|fish\n"
    "Prints a script by which the shell completes commands, options, files, and ids of jobs, "
    "nodes\n"
    "and uploads, for which it asks the farm, a second at most. In bash:\n"
    "  . <(gopmill completion bash)\n";

static const char VERSION[] = "gopmill version [--json]\nPrints the version.\n";

/* By command; what has none is told by the overview. */
static const char *const TEXTS[] = {
    [GM_CMD_TRANSCODE] = TRANSCODE,
    [GM_CMD_PLAN] = PLAN,
    [GM_CMD_SUBMIT] = SUBMIT,
    [GM_CMD_UPLOAD] = UPLOAD,
    [GM_CMD_WATCH] = WATCH,
    [GM_CMD_JOB] = JOB,
    [GM_CMD_NODE] = NODE,
    [GM_CMD_PIPELINE] = PIPELINE,
    [GM_CMD_JOB_LIST] = JOB_LIST,
    [GM_CMD_JOB_SHOW] = JOB_SHOW,
    [GM_CMD_JOB_CANCEL] = JOB_CANCEL,
    [GM_CMD_JOB_EXPLAIN] = JOB_EXPLAIN,
    [GM_CMD_JOB_RETRY] = JOB_RETRY,
    [GM_CMD_JOB_PRIORITY] = JOB_PRIORITY,
    [GM_CMD_JOB_TASKS] = JOB_TASKS,
    [GM_CMD_JOB_ATTEMPTS] = JOB_ATTEMPTS,
    [GM_CMD_JOB_LOGS] = JOB_LOGS,
    [GM_CMD_JOB_REPORT] = JOB_REPORT,
    [GM_CMD_JOB_TRACE] = JOB_TRACE,
    [GM_CMD_ASSET] = ASSET,
    [GM_CMD_ASSET_LIST] = ASSET_LIST,
    [GM_CMD_ASSET_SHOW] = ASSET_SHOW,
    [GM_CMD_ASSET_DELETE] = ASSET_DELETE,
    [GM_CMD_UPLOADS] = UPLOADS,
    [GM_CMD_UPLOADS_LIST] = UPLOADS_LIST,
    [GM_CMD_UPLOADS_SHOW] = UPLOADS_SHOW,
    [GM_CMD_UPLOADS_DELETE] = UPLOADS_DELETE,
    [GM_CMD_EVENTS] = EVENTS,
    [GM_CMD_EVENTS_LIST] = EVENTS_LIST,
    [GM_CMD_EVENTS_REDELIVER] = EVENTS_REDELIVER,
    [GM_CMD_EVENTS_FOLLOW] = EVENTS_FOLLOW,
    [GM_CMD_FARM] = FARM,
    [GM_CMD_NODE_LIST] = NODE_LIST,
    [GM_CMD_NODE_SHOW] = NODE_SHOW,
    [GM_CMD_NODE_DRAIN] = NODE_DRAIN,
    [GM_CMD_NODE_RESUME] = NODE_RESUME,
    [GM_CMD_NODE_RESTART] = NODE_RESTART,
    [GM_CMD_NODE_QUARANTINE] = NODE_QUARANTINE,
    [GM_CMD_PIPELINE_LIST] = PIPELINE_LIST,
    [GM_CMD_PIPELINE_SHOW] = PIPELINE_SHOW,
    [GM_CMD_PIPELINE_CHECK] = PIPELINE_CHECK,
    [GM_CMD_PIPELINE_STORE] = PIPELINE_STORE,
    [GM_CMD_PIPELINE_DELETE] = PIPELINE_DELETE,
    [GM_CMD_STORAGE] = STORAGE,
    [GM_CMD_STORAGE_SWEEP] = STORAGE_SWEEP,
    [GM_CMD_KEYS] = KEYS,
    [GM_CMD_KEYS_MAKE] = KEYS_MAKE,
    [GM_CMD_KEYS_LIST] = KEYS_LIST,
    [GM_CMD_KEYS_ROTATE] = KEYS_ROTATE,
    [GM_CMD_KEYS_REVOKE] = KEYS_REVOKE,
    [GM_CMD_TOKEN] = TOKEN,
    [GM_CMD_TOKEN_NEW] = TOKEN_NEW,
    [GM_CMD_TOKEN_LIST] = TOKEN_LIST,
    [GM_CMD_TOKEN_REVOKE] = TOKEN_REVOKE,
    [GM_CMD_DEVICES] = DEVICES,
    [GM_CMD_TOP] = TOP,
    [GM_CMD_DOCTOR] = DOCTOR,
    [GM_CMD_COMPLETION] = COMPLETION,
    [GM_CMD_VERSION] = VERSION,
};

const char *gm_args_help(enum gm_command command)
{
    size_t at = (size_t)command;
    return at < sizeof(TEXTS) / sizeof(TEXTS[0]) && TEXTS[at] != NULL ? TEXTS[at] : OVERVIEW;
}
