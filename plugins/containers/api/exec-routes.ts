import { type ApiRoute, conflict, reply } from '@gantry/sdk';
import type { Engine } from '../engine';
import { assertExecStartable, createExec, findExec } from '../exec/exec';
import type { ExecInstance } from '../exec/exec-instance';
import { parseDetachKeys } from '../io/detach-keys';
import { attachExec, runDetached } from '../io/exec-attach';
import { execShims } from './older-clients';
import { execStartDocument, parseExec } from './parse-request';
import { hijackType, terminalSize } from './stream-routes';

/** Routes of further processes in a container. */
export function execRoutes(engine: Engine): ApiRoute[] {
  return [
    {
      method: 'POST',
      path: '/containers/{id}/exec',
      shims: execShims,
      handle: async (request) => {
        const reference = request.params.id ?? '';
        // As for dockerd, a body that cannot be read is told before a container that does not exist.
        const config = await parseExec(request);
        engine.index.get(reference);
        parseDetachKeys(config.detachKeys);
        return reply.json(201, { Id: (await createExec(reference, config, engine)).id });
      },
    },
    {
      method: 'POST',
      path: '/exec/{id}/start',
      shims: execShims,
      flags: { hijack: true },
      handle: async (request) => {
        const { Detach, Tty, ConsoleSize } = execStartDocument.decode(await request.json(), '');
        const exec = findExec(request.params.id ?? '', engine);
        assertExecStartable(exec);
        if (Tty && ConsoleSize && ConsoleSize.length === 2) exec.config = { ...exec.config, consoleSize: ConsoleSize };
        if (Detach) {
          await runDetached(exec, engine);
          return reply.empty(200);
        }
        // Whoever starts it says how the output is to come, whatever it was created with.
        return reply.hijack(hijackType(request, Tty), (connection) =>
          attachExec(exec, connection, { raw: Tty }, engine),
        );
      },
    },
    {
      method: 'POST',
      path: '/exec/{id}/resize',
      handle: async (request) => {
        const exec = findExec(request.params.id ?? '', engine);
        const { columns, rows } = terminalSize(request);
        if (exec.process === undefined) throw conflict(`exec ${exec.id} is not running`);
        await exec.process.resize(columns, rows);
        return reply.empty(200);
      },
    },
    {
      method: 'GET',
      path: '/exec/{id}/json',
      handle: (request) => reply.json(200, renderExec(findExec(request.params.id ?? '', engine))),
    },
  ];
}

/** @see Engine API, ExecInspectResponse */
function renderExec(exec: ExecInstance): Record<string, unknown> {
  const { config } = exec;
  const [entrypoint = '', ...args] = config.command;
  return {
    ID: exec.id,
    Running: exec.status === 'running',
    ExitCode: exec.exitCode ?? null,
    ProcessConfig: {
      tty: config.terminal,
      entrypoint,
      arguments: args,
      privileged: config.privileged,
      ...(config.user ? { user: config.user } : {}),
    },
    OpenStdin: config.attachStdin,
    OpenStderr: config.attachStderr,
    OpenStdout: config.attachStdout,
    CanRemove: false,
    ContainerID: exec.container.id,
    DetachKeys: config.detachKeys,
    Pid: exec.pid,
  };
}
