/** `ok`: as it should be; `warn`: works with a limit, or cannot be told; `missing`: containers cannot run like this. */
export type FindingState = 'ok' | 'warn' | 'missing';

/** One thing looked at. */
export interface Finding {
  readonly group: string;
  readonly name: string;
  readonly state: FindingState;
  /** What was found, in a few words. */
  readonly found: string;
  /** What to do about it; absent when it is as it should be. */
  readonly advice?: string;
}

export type Look = Omit<Finding, 'group'>;

export const ok = (name: string, found: string): Look => ({ name, state: 'ok', found });
export const warn = (name: string, found: string, advice: string): Look => ({ name, state: 'warn', found, advice });
export const missing = (name: string, found: string, advice: string): Look => ({
  name,
  state: 'missing',
  found,
  advice,
});
