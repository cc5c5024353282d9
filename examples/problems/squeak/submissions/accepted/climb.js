const [n, m, ...steps] = require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean).map(Number);
const squeaky = new Set(steps);
let below = [0, 0, 1];
for (let step = 1; step <= n; step++) {
  const ways = squeaky.has(step) ? 0 : below.reduce((sum, x) => (sum + x) % 1000000007, 0);
  below = [below[1], below[2], ways];
}
console.log(below[2]);
