/** Parts of the API whose keys are chosen by users: there, keys that differ in case are different keys. */
const freeMaps = new Set(
  `annotations auxiliaryaddresses buildargs config driveropts endpointsconfig exposedports labels options opts
  portbindings storageopt sysctls tmpfs volumes`.split(/\s+/),
);

interface OpenObject {
  readonly seen: Set<string>;
  readonly isFree: boolean;
}

/**
 * Finds a key that is given twice in one object of a JSON text: two readers of such a text may see two different
 * requests. Readers written in Go take the keys of the API in any case, so there `HostConfig` and `hostconfig` count
 * as the same key. Text that is not JSON gives no useful answer; whoever parses it refuses it.
 */
export function repeatedKey(text: string): string | undefined {
  const open: (OpenObject | undefined)[] = [];
  let name = '';
  let keyComes = false;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '{':
        open.push({ seen: new Set(), isFree: open.at(-1)?.isFree !== true && freeMaps.has(name) });
        keyComes = true;
        break;
      case '[':
        open.push(undefined);
        name = '';
        keyComes = false;
        break;
      case '}':
      case ']':
        open.pop();
        keyComes = false;
        break;
      case ',':
        keyComes = open.at(-1) !== undefined;
        break;
      case '"': {
        const end = endOfString(text, at);
        const object = open.at(-1);
        if (keyComes && object !== undefined) {
          const key = readKey(text.slice(at, end + 1));
          name = folded(key);
          const compared = object.isFree ? key : name;
          if (object.seen.has(compared)) return key;
          object.seen.add(compared);
          keyComes = false;
        }
        at = end;
        break;
      }
    }
  }
  return undefined;
}

/** Offset of the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

function readKey(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted);
  } catch {
    return quoted;
  }
}

// Both ways: the long s becomes S, and the Kelvin sign k, as Unicode folds them.
const folded = (key: string) => key.toUpperCase().toLowerCase();
