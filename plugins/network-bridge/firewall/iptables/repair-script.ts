import { chains, type Family, type IptablesRule, jumps, ruleId, ruleLine, type TableName } from './rules';
import type { SavedRule, SavedTable } from './saved-rules';

const tableNames: readonly TableName[] = ['raw', 'nat', 'filter'];
const empty: SavedTable = { chains: [], rules: [] };

/**
 * The input of iptables-restore, without flushing, that brings what is there to what must be; empty when nothing is to
 * be done. Each table changes in one go. Rules of others stay where they are.
 */
export function repairScript(
  owner: string,
  family: Family,
  saved: ReadonlyMap<TableName, SavedTable>,
  wanted: readonly IptablesRule[],
): string {
  return script((table) => {
    const there = saved.get(table) ?? empty;
    return [
      ...chains[table].filter((chain) => !there.chains.includes(chain)).map((chain) => `-N ${chain}`),
      ...jumpLines(family, table, there),
      ...ruleLines(
        owner,
        there.rules,
        wanted.filter((rule) => rule.table === table),
      ),
    ];
  });
}

/** Takes our rules away, and the chains and jumps when nobody else has rules in them. */
export function removalScript(family: Family, saved: ReadonlyMap<TableName, SavedTable>): string {
  return script((table) => {
    const there = saved.get(table) ?? empty;
    const isJump = (rule: SavedRule) => jumpsOf(family, table).some((one) => isSame(one, rule));
    const others = there.rules.filter((rule) => rule.id === undefined);
    const usedByOthers = others.some((rule) => chains[table].includes(rule.chain) && !isJump(rule));
    const lines = there.rules.filter(({ id }) => id !== undefined).map(deletion);
    if (usedByOthers) return lines;
    const unused = chains[table].filter((chain) => there.chains.includes(chain));
    return [...lines, ...others.filter(isJump).map(deletion), ...unused.map((chain) => `-X ${chain}`)];
  });
}

/** Commands for one table, which it carries out in one go; empty when there are none. */
export function tableScript(table: TableName, lines: readonly string[]): string {
  return lines.length > 0 ? `*${table}\n${lines.join('\n')}\nCOMMIT\n` : '';
}

function script(linesOf: (table: TableName) => string[]): string {
  return tableNames.map((table) => tableScript(table, linesOf(table))).join('');
}

/** Jumps that stand in a chain but not in the right order, or not all of them, are set anew. */
function jumpLines(family: Family, table: TableName, { rules }: SavedTable): string[] {
  const wanted = jumpsOf(family, table);
  const parents = [...new Set(wanted.map(({ chain }) => chain))];
  return parents.flatMap((parent) => {
    const list = wanted.filter(({ chain }) => chain === parent);
    const present = rules.filter((rule) => list.some((one) => isSame(one, rule)));
    if (present.length === list.length && present.every((rule, index) => isSame(list[index]!, rule))) return [];
    // Behind nobody else's rules: those of a host firewall would end the walk before it comes to ours.
    const isForward = parent === 'FORWARD' || chains[table].includes(parent);
    const inserted = isForward ? [...list].reverse().map((one) => `-I ${parent} ${one.spec}`) : undefined;
    return [...present.map(deletion), ...(inserted ?? list.map((one) => `-A ${parent} ${one.spec}`))];
  });
}

/** Rules that are too many go, those that are missing come; where the order would suffer, a chain's are set anew. */
function ruleLines(owner: string, saved: readonly SavedRule[], wanted: readonly IptablesRule[]): string[] {
  const names = new Set([...wanted, ...saved.filter(({ id }) => id !== undefined)].map(({ chain }) => chain));
  return [...names].flatMap((chain) => {
    const list = wanted.filter((rule) => rule.chain === chain).map((rule) => ({ rule, id: ruleId(rule) }));
    const byId = new Map(list.map((one) => [one.id, one]));
    const there = saved.filter((rule) => rule.chain === chain && rule.id !== undefined);
    const surplus = there.filter(({ id }, index) => !byId.has(id!) || there.findIndex((one) => one.id === id) < index);
    const kept = there.filter((rule) => !surplus.includes(rule)).map(({ id }) => byId.get(id!)!);
    const firsts = kept.filter(({ rule }) => rule.first);
    const lasts = kept.filter(({ rule }) => !rule.first);
    const wantedLasts = list.filter(({ rule }) => !rule.first);
    const isInOrder =
      [...firsts, ...lasts].every((one, index) => one === kept[index]) &&
      lasts.every((one, index) => one === wantedLasts[index]);
    const gone = isInOrder ? surplus : there;
    const stay = new Set(isInOrder ? kept : []);
    return [
      ...gone.map(deletion),
      ...list.filter((one) => !stay.has(one)).map(({ rule }) => ruleLine(owner, rule, 'add')),
    ];
  });
}

const jumpsOf = (family: Family, table: TableName) => jumps(family).filter((jump) => jump.table === table);
const isSame = (jump: IptablesRule, rule: SavedRule) => jump.chain === rule.chain && jump.spec === rule.spec;
const deletion = ({ chain, spec }: SavedRule) => `-D ${chain} ${spec}`;
