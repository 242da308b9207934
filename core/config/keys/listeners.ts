import { arrayOf, boolean, string } from '@gantry/sdk';
import { flagOf, key } from '../key';
import { fullAddress } from '../listen-addresses';
import { parsed } from '../value-schemas';

/** Where clients reach the API. */
export const listenerKeys = {
  hosts: key<readonly string[]>({
    schema: arrayOf(parsed('an address such as unix:///run/docker.sock', fullAddress)),
    fallback: ['unix:///run/docker.sock'],
    flag: flagOf.list('host', 'H'),
    reload: 'restart',
    example: ['unix:///run/docker.sock', 'tcp://127.0.0.1:2376'],
    about: 'Addresses to serve: unix:///path, tcp://host:port, fd://',
  }),
  group: key({
    schema: string(),
    fallback: 'docker',
    flag: flagOf.string('group', 'G'),
    reload: 'restart',
    example: 'staff',
    about: 'Group of the unix sockets, name or number',
  }),
  tls: key<boolean | undefined>({
    schema: boolean(),
    fallback: undefined,
    flag: flagOf.switch('tls'),
    reload: 'restart',
    example: true,
    about: 'Use TLS on tcp sockets and demand a client certificate; implied by --tlsverify',
  }),
  tlsverify: key<boolean | undefined>({
    schema: boolean(),
    fallback: undefined,
    flag: flagOf.switch('tlsverify'),
    reload: 'restart',
    example: true,
    about: 'Use TLS and demand a client certificate; false = TLS without',
  }),
  tlscacert: key<string | undefined>({
    schema: string(),
    fallback: undefined,
    fallbackText: '$DOCKER_CERT_PATH/ca.pem',
    flag: flagOf.string('tlscacert'),
    reload: 'restart',
    example: '/etc/docker/ca.pem',
    about: 'Trust client certificates signed by this CA only',
  }),
  tlscert: key<string | undefined>({
    schema: string(),
    fallback: undefined,
    fallbackText: '$DOCKER_CERT_PATH/cert.pem',
    flag: flagOf.string('tlscert'),
    reload: 'restart',
    example: '/etc/docker/cert.pem',
    about: 'Path of the TLS certificate file',
  }),
  tlskey: key<string | undefined>({
    schema: string(),
    fallback: undefined,
    fallbackText: '$DOCKER_CERT_PATH/key.pem',
    flag: flagOf.string('tlskey'),
    reload: 'restart',
    example: '/etc/docker/key.pem',
    about: 'Path of the TLS key file',
  }),
};
