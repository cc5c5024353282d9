const kept: object[][] = [];
for (;;) kept.push(new Array(1 << 17).fill({}));
