import { invalidParameter } from '@gantry/sdk';

/**
 * Query parameters. What readers of queries disagree about is refused, as dockerd does: a semicolon, which is a
 * separator for some, and a percent sign that begins no escape.
 *
 * @throws invalid-parameter
 */
export function parseQuery(search: string): URLSearchParams {
  if (search.includes(';')) throw invalidParameter('invalid semicolon separator in query');
  const broken = search.includes('%') ? /%(?![0-9a-f]{2}).{0,2}/i.exec(search) : null;
  if (broken !== null) throw invalidParameter(`invalid URL escape "${broken[0]}"`);
  return new URLSearchParams(search);
}
