// usage: node bench.js SOCKET JOBS PAYLOAD RESULT
// The full life of JOBS jobs in BullMQ: added by 100, four calls at once; done by four workers with
// 16 jobs at once each. Prints the seconds that adding and doing took.
import { Queue, Worker } from 'bullmq';

const [path, jobs, payload, result] = process.argv.slice(2);
const [JOBS, PAYLOAD, RESULT] = [jobs, payload, result].map(Number);
const connection = { path, maxRetriesPerRequest: null };
const seconds = (since) => (performance.now() - since) / 1000;

const queue = new Queue('bench', { connection });
await queue.waitUntilReady();
const job = {
  name: 'job',
  data: 'x'.repeat(PAYLOAD),
  // As ours: results are kept for an hour, failures are tried again.
  opts: { removeOnComplete: { age: 3600 }, attempts: 5 },
};
const start = performance.now();
let left = JOBS;
const add = async () => {
  while (left > 0) {
    const count = Math.min(100, left);
    left -= count;
    await queue.addBulk(Array(count).fill(job));
  }
};
await Promise.all([add(), add(), add(), add()]);
const added = seconds(start);

const middle = performance.now();
let done = 0;
await new Promise((resolve) => {
  for (let n = 0; n < 4; n++) {
    const worker = new Worker('bench', async () => 'r'.repeat(RESULT), { connection, concurrency: 16 });
    worker.on('completed', () => {
      if (++done === JOBS) resolve();
    });
  }
});
console.log(`${added} ${seconds(middle)}`);
process.exit(0);
