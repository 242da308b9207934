import type { TableName } from './rules';

/** What iptables-save says about one table. */
export interface SavedTable {
  readonly chains: readonly string[];
  /** Lines `-A CHAIN …`, in order. */
  readonly rules: readonly SavedRule[];
}

export interface SavedRule {
  readonly chain: string;
  /** The line without `-A CHAIN `. */
  readonly spec: string;
  /** What its comment says after the owner; undefined = not ours. */
  readonly id: string | undefined;
}

/** @param owner how comments of ours begin */
export function parseSaved(text: string, owner: string): Map<TableName, SavedTable> {
  const tables = new Map<TableName, { chains: string[]; rules: SavedRule[] }>();
  const ours = new RegExp(`--comment "?${owner}/([0-9a-f]+)"?( |$)`);
  let table = { chains: [] as string[], rules: [] as SavedRule[] };
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      table = { chains: [], rules: [] };
      tables.set(line.slice(1).trim() as TableName, table);
    } else if (line.startsWith(':')) table.chains.push(line.slice(1).split(' ')[0]!);
    else if (line.startsWith('-A ')) {
      const [, chain = '', spec = ''] = /^-A (\S+) ?(.*)$/.exec(line) ?? [];
      table.rules.push({ chain, spec, id: ours.exec(spec)?.[1] });
    }
  }
  return tables;
}
