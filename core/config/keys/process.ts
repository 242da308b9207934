import { arrayOf, boolean, integer, string } from '@gantry/sdk';
import { parseMetricsAddress } from '../../metrics/metrics-address';
import { flagOf, key } from '../key';
import { absolutePath, parsed } from '../value-schemas';

export const logLevels = ['debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];

/** The daemon as a process of this machine. */
export const processKeys = {
  'data-root': key({
    schema: absolutePath(),
    fallback: '/var/lib/gantry',
    flag: flagOf.string('data-root'),
    reload: 'restart',
    example: '/srv/gantry',
    about: 'Root directory of persistent state',
  }),
  'exec-root': key({
    schema: absolutePath(),
    fallback: '/run/gantry',
    flag: flagOf.string('exec-root'),
    reload: 'restart',
    example: '/run/gantry-2',
    about: 'Root directory of state that a reboot may drop',
  }),
  pidfile: key({
    schema: string(),
    fallback: '/run/gantry.pid',
    flag: flagOf.string('pidfile', 'p'),
    reload: 'restart',
    example: '/run/gantry-2.pid',
    about: 'Path of the file holding the daemon process id; empty for none',
  }),
  debug: key({
    schema: boolean(),
    fallback: false,
    flag: flagOf.switch('debug', 'D'),
    reload: 'live',
    example: true,
    about: 'Log at debug level',
  }),
  'log-level': key({
    schema: string({ oneOf: logLevels }),
    fallback: 'info',
    flag: flagOf.string('log-level', 'l'),
    reload: 'live',
    example: 'warn',
    about: `Least severe level that is logged: ${logLevels.join(', ')}`,
  }),
  'log-format': key({
    schema: string({ oneOf: ['text', 'json'] }),
    fallback: 'text',
    flag: flagOf.string('log-format'),
    reload: 'live',
    example: 'json',
    about: 'Format of the log lines: text or json',
  }),
  labels: key<readonly string[]>({
    schema: arrayOf(
      parsed('a label of the form key=value', (text) => {
        if (!/^[^=]+=/.test(text)) throw new Error(`bad attribute format: ${text}`);
        return text;
      }),
    ),
    fallback: [],
    flag: flagOf.list('label'),
    reload: 'live',
    example: ['rack=7'],
    about: 'Labels of the daemon, shown by info',
  }),
  'live-restore': key({
    schema: boolean(),
    fallback: false,
    flag: flagOf.switch('live-restore'),
    reload: 'live',
    example: true,
    about: 'Leave containers running when the daemon stops',
  }),
  'shutdown-timeout': key({
    schema: integer({ min: -1 }),
    fallback: 15,
    flag: flagOf.integer('shutdown-timeout'),
    reload: 'live',
    example: 30,
    about: 'Seconds that containers get to stop when the daemon stops; -1 waits for ever',
  }),
  'oom-score-adjust': key({
    schema: integer({ min: -1000, max: 1000 }),
    fallback: 0,
    flag: flagOf.integer('oom-score-adjust'),
    reload: 'restart',
    example: -500,
    about: 'OOM score adjustment of the daemon; 0 leaves it as it is',
  }),
  'metrics-addr': key({
    schema: parsed('an address such as 127.0.0.1:9323', (text) => {
      if (text !== '') parseMetricsAddress(text);
      return text;
    }),
    fallback: '',
    fallbackText: 'not served',
    flag: flagOf.string('metrics-addr', undefined, 'host:port'),
    reload: 'restart',
    example: '127.0.0.1:9323',
    about: 'Address to serve metrics on, in the format of Prometheus',
  }),
  experimental: key({
    schema: boolean(),
    fallback: false,
    flag: flagOf.switch('experimental'),
    reload: 'restart',
    example: true,
    about: 'Tell clients that experimental features are welcome',
  }),
};
