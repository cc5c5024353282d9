const lines = require("readline").createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => Number((await lines.next()).value);
const ask = (i) => (console.log(`? ${i}`), read());

(async () => {
  let low = 1;
  let high = await read();
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((await ask(middle)) < (await ask(middle + 1))) low = middle + 1;
    else high = middle;
  }
  console.log(`! ${low}`);
  process.stdin.destroy();
})();
