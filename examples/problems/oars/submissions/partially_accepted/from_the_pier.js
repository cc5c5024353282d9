// @EXPECTED_SCORE@: 10
// Knows only the stretches that begin at the pier, which is enough for some of the short logs.
const log = require("fs").readFileSync(0, "utf8").trim();
let course = 0;
let found = 0;
for (const stroke of log) {
  course += stroke === "L" ? 1 : -1;
  if (course === 0) found++;
}
console.log(found);
