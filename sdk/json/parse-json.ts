import { JsonReader } from './json-reader';

/** The text is not JSON. The message is what Go's `encoding/json` says, which is what Docker's clients show. */
export class JsonSyntaxError extends Error {}

/** As for Go. @see encoding/json, maxNestingDepth */
const maximumDepth = 10_000;

/** Numbers that may be something else than a JavaScript number of the same value. */
const delicate = /[:[,\s-](?:\d{16,}|\d+[.eE])/;

/**
 * Reads a JSON text as Go does: integers are exact (`ExactNumber` where a JavaScript number is not), and the last of
 * several equal keys counts and stands last.
 *
 * @throws JsonSyntaxError  not JSON, nested too deeply, or something follows the value
 */
export function parseJson(text: string): unknown {
  if (text.length > maximumDepth && depthOf(text) > maximumDepth) throw new JsonSyntaxError('exceeded max depth');
  if (!delicate.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // The reader finds out what is wrong.
    }
  }
  return new JsonReader(text).readDocument();
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 92 /* \ */) at++;
      else if (code === 34 /* " */) inString = false;
    } else if (code === 34) inString = true;
    else if (code === 123 /* { */ || code === 91 /* [ */) {
      depth++;
      if (depth > deepest) deepest = depth;
    } else if (code === 125 || code === 93) depth--;
  }
  return deepest;
}
