/** Splits at blanks; quotes and escapes stay in the words, and what is in quotes is one word. */
export function splitWords(text: string, escapeChar: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  let inWord = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quote === '' && /\s/.test(char)) {
      if (inWord) words.push(word);
      word = '';
      inWord = false;
      continue;
    }
    inWord = true;
    word += char;
    // In single quotes an escape is a character like others.
    if (char === escapeChar && quote !== "'" && at + 1 < text.length) word += text[++at];
    else if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = '';
  }
  if (inWord) words.push(word);
  return words;
}

/** What a JSON array says, or why it is none. */
export type JsonWords =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'not-strings' }
  | { readonly kind: 'not-json' };

/** Reads the exec form, `["a", "b"]`. */
export function jsonWords(text: string): JsonWords {
  if (!text.trimStart().startsWith('[')) return { kind: 'not-json' };
  try {
    const value: unknown = JSON.parse(text);
    if (!Array.isArray(value)) return { kind: 'not-json' };
    return value.every((item) => typeof item === 'string') ? { kind: 'words', words: value } : { kind: 'not-strings' };
  } catch {
    return { kind: 'not-json' };
  }
}
