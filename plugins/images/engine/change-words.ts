import { invalidParameter } from '@gantry/sdk';

/** What `$NAME` stands for. */
export type Variables = ReadonlyMap<string, string>;

/**
 * Words of a Dockerfile instruction: separated by blanks, kept together by quotes and backslashes, with `$NAME`,
 * `${NAME}`, `${NAME:-default}` and `${NAME:+other}` replaced outside single quotes.
 *
 * @throws invalid-parameter  a quote or brace that is not closed
 */
export function words(text: string, variables: Variables): string[] {
  const found: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; ) {
    const char = text[at]!;
    if (quote === '' && /\s/.test(char)) {
      if (word !== undefined) found.push(word);
      word = undefined;
      at++;
      continue;
    }
    word ??= '';
    if (quote === '' ? char === '"' || char === "'" : char === quote) {
      quote = quote === '' ? char : '';
      at++;
    } else if (char === '\\' && quote !== "'" && at + 1 < text.length) {
      const next = text[at + 1]!;
      // Inside double quotes a backslash is only special before what it can protect.
      word += quote === '' || next === '"' || next === '$' || next === '\\' ? next : `\\${next}`;
      at += 2;
    } else if (char === '$' && quote !== "'") {
      const { value, length } = variable(text.slice(at), variables);
      word += value;
      at += length;
    } else {
      word += char;
      at++;
    }
  }
  if (quote !== '') throw invalidParameter(`unexpected end of statement while looking for matching ${quote}`);
  if (word !== undefined) found.push(word);
  return found;
}

function variable(text: string, variables: Variables): { value: string; length: number } {
  const plain = /^\$([A-Za-z_]\w*|[0-9@*#])/.exec(text);
  if (plain) return { value: variables.get(plain[1]!) ?? '', length: plain[0].length };
  if (!text.startsWith('${')) return { value: '$', length: 1 };
  const braced = /^\$\{([A-Za-z_]\w*)(?::([-+])((?:[^{}\\]|\\.|\$\{[^}]*\})*))?\}/.exec(text);
  if (!braced) throw invalidParameter(`failed to process "${text}": unsupported or unclosed variable expression`);
  const [whole, name = '', operator, other = ''] = braced;
  const value = variables.get(name) ?? '';
  const alternative = () => words(other.replaceAll(/\s/g, '\\$&'), variables).join('');
  if (operator === '-') return { value: value === '' ? alternative() : value, length: whole.length };
  if (operator === '+') return { value: value === '' ? '' : alternative(), length: whole.length };
  return { value, length: whole.length };
}
