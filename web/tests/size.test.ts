// The page's weight and what it must not hold. See SPEC.md.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { expect, inject, test } from "vitest";

const files = readdirSync(inject("dist"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name));

test("all of it is under 300 kB, also by gzip", () => {
  let gzip = 0;
  let brotli = 0;
  for (const file of files) {
    const bytes = readFileSync(file);
    gzip += gzipSync(bytes, { level: 9 }).length;
    brotli += brotliCompressSync(bytes).length;
  }
  console.log(`api/page: ${files.length} files, ${gzip} bytes by gzip, ${brotli} by brotli`);
  expect(gzip).toBeLessThan(300_000);
});

test("nothing is inline and nothing is from elsewhere", () => {
  const html = readFileSync(join(inject("dist"), "index.html"), "utf8");
  expect(html).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*\bsrc=)/);
  for (const [, address] of html.matchAll(/(?:src|href)="([^"]*)"/g)) expect(address).toMatch(/^(\.\/|#)/);
  for (const file of files.filter((name) => name.endsWith(".css"))) {
    expect(readFileSync(file, "utf8")).not.toMatch(/url\(|@import/);
  }
  for (const file of files.filter((name) => name.endsWith(".js"))) {
    expect(readFileSync(file, "utf8")).not.toMatch(/\beval\(|new Function\(/);
  }
});
