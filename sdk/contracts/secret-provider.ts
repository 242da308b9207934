import { capability } from '../plugin/capability';

/** Which secret is wanted, and for whom. What is not known is absent. */
export interface SecretRequest {
  readonly secretName: string;
  readonly secretLabels: Readonly<Record<string, string>>;
  readonly serviceHostname?: string;
  readonly serviceId?: string;
  readonly serviceName?: string;
  readonly serviceLabels: Readonly<Record<string, string>>;
  readonly serviceEndpoint?: {
    /** 0 = virtual address, 1 = DNS round robin. */
    readonly mode: number;
    readonly ports: readonly {
      readonly name: string;
      /** 0 = tcp, 1 = udp, 2 = sctp. */
      readonly protocol: number;
      readonly targetPort: number;
      readonly publishedPort: number;
      /** 0 = ingress, 1 = host. */
      readonly publishMode: number;
    }[];
  };
  readonly taskId?: string;
  readonly taskName?: string;
  readonly taskImage?: string;
  readonly nodeId?: string;
}

/** A secret's content. */
export interface ProvidedSecret {
  readonly value: Buffer;
  /** Ask again for every task (P-SEC-2). */
  readonly doNotReuse: boolean;
}

/** Gives secrets to the tasks of a cluster. @see Docker secret plugin protocol, section 11 */
export interface SecretProvider {
  /** @throws not-found  there is no such secret */
  getSecret(request: SecretRequest, signal?: AbortSignal): Promise<ProvidedSecret>;
}

/** Secret providers, by name. */
export const SecretProvider1 = capability<SecretProvider>('secret-provider/v1', 'many');
