/** Where a command writes: results to one side, complaints to the other. */
export interface CommandOutput {
  say(text: string): void;
  complain(text: string): void;
}

export const processOutput: CommandOutput = {
  say: (text) => void process.stdout.write(text),
  complain: (text) => void process.stderr.write(text),
};
