/** One field of a request, by its path in the API's schema, and what becomes of it. */
export type RequestField = WorkingField | RefusedField;

interface WorkingField {
  readonly field: string;
  readonly outcome: 'works';
  /** File below `test/`, and the title of the test that shows it. */
  readonly file: string;
  readonly title: string;
}

interface RefusedField {
  readonly field: string;
  readonly outcome: 'refused';
  /** What to send: the whole body of the operation besides an image and a command. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly status: number;
  readonly message: RegExp;
}

/** Rows for fields of one place that one test shows. */
export function works(place: string, fields: string, file: string, title: string): WorkingField[] {
  return fields
    .trim()
    .split(/\s+/)
    .map((name) => ({ field: `${place}${name}`, outcome: 'works', file, title }));
}

export function refused(
  field: string,
  body: Readonly<Record<string, unknown>>,
  status: number,
  message: RegExp,
): RefusedField {
  return { field, outcome: 'refused', body, status, message };
}
