import { newPlugin } from './new-plugin';
import { testPlugin } from './test-plugin';

const usage = `usage: gantry-plugin COMMAND

  new KIND [NAME]           makes a project with a plugin that works
  test KIND --socket PATH   judges a plugin, in whatever language it is written

gantry-plugin COMMAND --help tells more.
`;

const commands: Readonly<Record<string, (args: readonly string[], print: (text: string) => void) => Promise<number>>> =
  { new: newPlugin, test: testPlugin };

/** The command `gantry-plugin`. @returns the exit code */
export async function runCommandLine(
  args: readonly string[],
  print: (text: string) => void = (text) => process.stdout.write(text),
): Promise<number> {
  const [name = '--help', ...rest] = args;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command !== undefined) return command(rest, print);
  if (name === '--help' || name === 'help') {
    print(usage);
    return 0;
  }
  print(`there is no command "${name}"\n\n${usage}`);
  return 2;
}
