// Two digits after the point are enough for money, not for pipes.
const [n, ...numbers] = require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean).map(Number);
const total = (pump) => {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += Math.hypot(numbers[2 * i] - pump, numbers[2 * i + 1]);
  return sum;
};
let [low, high] = [-1e6, 1e6];
for (let round = 0; round < 120; round++) {
  const third = (high - low) / 3;
  if (total(low + third) < total(high - third)) high -= third;
  else low += third;
}
console.log(total(low).toFixed(2));
