/** One line of a progress stream (application/json). @see Docker Engine API, ProgressDetail and ErrorDetail */
export interface ProgressMessage {
  readonly id?: string;
  readonly status?: string;
  readonly stream?: string;
  readonly progressDetail?: {
    readonly current?: number;
    readonly total?: number;
    readonly units?: string;
    readonly hidecounts?: boolean;
  };
  readonly aux?: unknown;
  readonly errorDetail?: { readonly message: string; readonly code?: number };
  readonly error?: string;
}

/** JSON followed by CRLF, as dockerd sends it. */
export function progressLine(message: ProgressMessage): string {
  return `${JSON.stringify(message)}\r\n`;
}
