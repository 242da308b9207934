/** How patient the doors are. Nothing here cuts what is under way: streams, uploads and attached clients last. */
export interface DoorLimits {
  /** From the first byte of a connection, or of its next request, to the end of the headers. */
  readonly headersMs: number;
  /** How often late headers are looked for. */
  readonly checkMs: number;
  /** The longest silence within a JSON body. */
  readonly stalledBodyMs: number;
  /** All header lines of a request together. */
  readonly headerBytes: number;
}

export const doorLimits: DoorLimits = {
  headersMs: 60_000,
  checkMs: 15_000,
  stalledBodyMs: 60_000,
  // X-Registry-Config carries the credentials of every registry a client knows.
  headerBytes: 256 * 1024,
};
