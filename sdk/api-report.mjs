// Writes api-report.md: everything the SDK exports, from the declarations the compiler made. With --check it only compares.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const sdk = dirname(fileURLToPath(import.meta.url));
const dist = join(sdk, 'dist');
const report = join(sdk, 'api-report.md');

/** A declaration file without comments, imports of neighbours and private members: what a user can rely on. */
function surface(text) {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/[#@].*$/gm, '')
    .replace(/^import [^;]*;$/gm, '')
    .replace(/^export \{\};$/gm, '')
    .replace(/^\s*private .*;$/gm, '')
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .join('\n');
}

async function write() {
  const files = (await readdir(dist, { recursive: true }))
    .filter((path) => path.endsWith('.d.ts') && !path.split(sep).includes('test'))
    .sort();
  const parts = [
    '# API report\n\nWritten by `node sdk/api-report.mjs` after a build. Read the difference before you commit it.\n',
  ];
  for (const path of files) {
    const source = relative(sdk, join(sdk, path.replace(/\.d\.ts$/, '.ts')));
    // Output of a source that is gone says nothing.
    if (
      !(await readFile(join(sdk, source)).then(
        () => true,
        () => false,
      ))
    )
      continue;
    const text = surface(await readFile(join(dist, path), 'utf8'));
    if (text !== '') parts.push(`## ${source}\n\n\`\`\`ts\n${text}\n\`\`\`\n`);
  }
  return parts.join('\n');
}

const now = await write();
if (process.argv.includes('--check')) {
  const before = await readFile(report, 'utf8').catch(() => '');
  if (before !== now) {
    const known = new Set(before.split('\n'));
    const changed = now
      .split('\n')
      .filter((line) => !known.has(line))
      .slice(0, 20);
    console.error(
      `sdk/api-report.md is not up to date: npx tsc -b sdk && node sdk/api-report.mjs\n${changed.join('\n')}`,
    );
    process.exitCode = 1;
  }
} else await writeFile(report, now);
