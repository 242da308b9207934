import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { type ConfigSchema, errorMessage, escapePointer, parseByteSize } from '@gantry/sdk';

/** A string that `read` turns into the value; what `read` throws becomes the problem's message. */
export function parsed<T>(expects: string, read: (text: string) => T): ConfigSchema<T> {
  return {
    expects,
    parse(value, pointer = '') {
      if (typeof value !== 'string')
        return { ok: false, problems: [{ pointer, message: `expected ${expects}, got ${JSON.stringify(value)}` }] };
      try {
        return { ok: true, value: read(value) };
      } catch (error) {
        return { ok: false, problems: [{ pointer, message: errorMessage(error) }] };
      }
    },
  };
}

/** A path; a relative one is taken from the working directory, as dockerd does. */
export const absolutePath = (): ConfigSchema<string> =>
  parsed('a path', (text) => {
    if (text === '') throw new Error('expected a path, got an empty string');
    return resolve(text);
  });

export const ipAddress = (family?: 4 | 6): ConfigSchema<string> =>
  parsed(`an IP${family ? `v${family}` : ''} address`, (text) => {
    const found = isIP(text);
    if (found === 0) throw new Error(`"${text}" is not an IP address`);
    if (family !== undefined && found !== family) throw new Error(`"${text}" is not an IPv${family} address`);
    return text;
  });

/** An address with prefix length, such as 172.17.0.1/16. */
export const cidr = (family?: 4 | 6): ConfigSchema<string> =>
  parsed(`an IP${family ? `v${family}` : ''} address with prefix length`, (text) => {
    const [address = '', bits = '', ...rest] = text.split('/');
    const found = isIP(address);
    const widest = found === 4 ? 32 : 128;
    if (found === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > widest)
      throw new Error(`invalid CIDR address: ${text}`);
    if (family !== undefined && found !== family) throw new Error(`"${text}" is not an IPv${family} address`);
    return text;
  });

/** `64m`, `1GiB`, `512`: bytes, powers of 1024. @see docker/go-units RAMInBytes */
export const byteSize = (): ConfigSchema<number> =>
  parsed('a size such as "64m"', (text) => parseByteSize(text.trim()));

/** An empty string means that the key is not set, as for dockerd. */
export const orNone = <T>(schema: ConfigSchema<T>): ConfigSchema<T | undefined> => ({
  expects: schema.expects,
  parse: (value, pointer) => (value === '' ? { ok: true, value: undefined } : schema.parse(value, pointer)),
});

/** Maps of texts by name: `{"bridge": {"option": "value"}}`. */
export function stringMaps(): ConfigSchema<Readonly<Record<string, Readonly<Record<string, string>>>>> {
  const isMap = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return {
    expects: 'an object of objects of strings',
    parse(value, pointer = '') {
      const problem = (at: string, message: string) => ({ ok: false as const, problems: [{ pointer: at, message }] });
      if (!isMap(value)) return problem(pointer, `expected an object, got ${JSON.stringify(value)}`);
      for (const [name, options] of Object.entries(value)) {
        const at = `${pointer}/${escapePointer(name)}`;
        if (!isMap(options)) return problem(at, `expected an object, got ${JSON.stringify(options)}`);
        for (const [option, text] of Object.entries(options))
          if (typeof text !== 'string')
            return problem(`${at}/${escapePointer(option)}`, `expected a string, got ${JSON.stringify(text)}`);
      }
      return { ok: true, value: value as Record<string, Record<string, string>> };
    },
  };
}

export const anything = (): ConfigSchema<unknown> => ({
  expects: 'anything',
  parse: (value) => ({ ok: true, value }),
});
