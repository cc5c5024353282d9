const { readFileSync } = require("fs");
import("./greet.mjs").then(({ greet }) => console.log(greet(readFileSync(0, "utf8").trim())));
