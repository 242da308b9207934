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
    about: 'Root directory of persistent state',
  }),
  'exec-root': key({
    schema: absolutePath(),
    fallback: '/run/gantry',
    flag: flagOf.string('exec-root'),
    reload: 'restart',
    about: 'Root directory of state that a reboot may drop',
  }),
  pidfile: key({
    schema: string(),
    fallback: '/run/gantry.pid',
    flag: flagOf.string('pidfile', 'p'),
    reload: 'restart',
    about: 'Path of the file holding the daemon process id; empty for none',
  }),
  debug: key({
    schema: boolean(),
    fallback: false,
    flag: flagOf.switch('debug', 'D'),
    reload: 'live',
    about: 'Log at debug level',
  }),
  'log-level': key({
    schema: string({ oneOf: logLevels }),
    fallback: 'info',
    flag: flagOf.string('log-level', 'l'),
    reload: 'live',
    about: `Least severe level that is logged: ${logLevels.join(', ')}`,
  }),
  'log-format': key({
    schema: string({ oneOf: ['text', 'json'] }),
    fallback: 'text',
    flag: flagOf.string('log-format'),
    reload: 'restart',
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
    about: 'Labels of the daemon, shown by info',
  }),
  'live-restore': key({
    schema: boolean(),
    fallback: false,
    flag: flagOf.switch('live-restore'),
    reload: 'live',
    about: 'Leave containers running when the daemon stops',
  }),
  'shutdown-timeout': key({
    schema: integer({ min: -1 }),
    fallback: 15,
    flag: flagOf.integer('shutdown-timeout'),
    reload: 'live',
    about: 'Seconds that containers get to stop when the daemon stops; -1 waits for ever',
  }),
  'oom-score-adjust': key({
    schema: integer({ min: -1000, max: 1000 }),
    fallback: 0,
    flag: flagOf.integer('oom-score-adjust'),
    reload: 'restart',
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
    about: 'Address to serve metrics on, in the format of Prometheus',
  }),
  experimental: key({
    schema: boolean(),
    fallback: false,
    flag: flagOf.switch('experimental'),
    reload: 'restart',
    about: 'Tell clients that experimental features are welcome',
  }),
};
