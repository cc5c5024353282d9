const fs = require("fs");
const buffer = Buffer.alloc(1 << 16);
const count = new Int32Array(256);
for (let got; (got = fs.readSync(0, buffer, 0, buffer.length, null)) > 0; ) {
  for (let i = 0; i < got; i++) count[buffer[i]]++;
}
let best = 0;
for (let letter = 97; letter <= 122; letter++) {
  if (count[letter] > 0 && (best === 0 || count[letter] < count[best])) best = letter;
}
console.log(String.fromCharCode(best), count[best]);
