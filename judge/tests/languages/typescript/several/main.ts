import * as readline from "readline";
import { greet } from "./lib/greet";

const lines = readline.createInterface({ input: process.stdin });
lines.once("line", (name: string) => {
    console.log(greet(name));
    lines.close();
});
