// Always the most frequent colour that differs from the last one.
const [k, ...flags] = require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean).map(Number);
const total = flags.reduce((a, b) => a + b);
let cord = "";
let last = -1;
while (cord.length < total) {
  let best = -1;
  for (let i = 0; i < k; i++) {
    if (i !== last && flags[i] > 0 && (best < 0 || flags[i] > flags[best])) best = i;
  }
  if (best < 0) break;
  flags[best]--;
  cord += String.fromCharCode(97 + best);
  last = best;
}
console.log(cord.length === total ? cord : "impossible");
