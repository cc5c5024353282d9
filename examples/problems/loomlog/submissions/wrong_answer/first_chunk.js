// Takes the first chunk for the whole log.
const buffer = Buffer.alloc(1 << 16);
const got = require("fs").readSync(0, buffer, 0, buffer.length, null);
const count = new Map();
for (const letter of buffer.toString("latin1", 0, got).match(/[a-z]/g) || "?") count.set(letter, (count.get(letter) || 0) + 1);
const [letter, times] = [...count].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1))[0];
console.log(letter, times);
