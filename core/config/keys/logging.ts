import { mapOf, string } from '@gantry/sdk';
import { flagOf, key } from '../key';

/** Where the output of containers goes. */
export const loggingKeys = {
  'log-driver': key({
    schema: string({ pattern: /./ }),
    fallback: 'json-file',
    flag: flagOf.string('log-driver'),
    reload: 'live',
    example: 'local',
    about: 'Log driver of containers that name none',
  }),
  'log-opts': key<Readonly<Record<string, string>>>({
    schema: mapOf(string()),
    fallback: {},
    flag: flagOf.map('log-opt'),
    reload: 'live',
    example: { 'max-size': '10m' },
    about: 'Options of the default log driver',
  }),
};
