import { type DriverSet, errorMessage, type IpamDriver, type Logger } from '@gantry/sdk';
import { replayPools } from '../networks/network-pools';
import type { NetworkRegistry } from '../networks/network-registry';
import { replayAddresses } from '../sandbox/endpoint-addresses';
import type { Sandboxes } from '../sandbox/sandboxes';

/** Whether addresses come from one of the drivers of this package, which know every record at once. */
export const isOwnIpam = (name: string): boolean => name === '' || name === 'default' || name === 'null';

/** What is on record, as far as drivers of others must be told again. */
interface Books {
  readonly networks: NetworkRegistry;
  readonly sandboxes: Sandboxes;
}

/**
 * Address drivers of others. Those that keep no books (P-IPAM-6) are told what is on record before anybody else may
 * ask them for anything; nobody else waits for them.
 */
export class ForeignIpam {
  private readonly told = new Map<string, Promise<void>>();

  constructor(
    private readonly drivers: DriverSet<IpamDriver>,
    private readonly books: () => Books,
    private readonly log: Logger,
  ) {}

  async get(name: string): Promise<IpamDriver> {
    const driver = await this.drivers.resolve(name);
    const told = this.told.get(name) ?? this.tell(name, driver);
    this.told.set(name, told);
    await told;
    return driver;
  }

  /** Failure is only logged. */
  private async tell(name: string, driver: IpamDriver): Promise<void> {
    const { networks, sandboxes } = this.books();
    const ofDriver = networks.list().filter(({ ipam, configOnly }) => ipam.driver === name && !configOnly);
    if (ofDriver.length === 0) return;
    try {
      const { requiresRequestReplay, requiresMacAddress } = await driver.capabilities();
      if (!requiresRequestReplay) return;
      for (const network of ofDriver) {
        await replayPools(driver, network);
        for (const { endpoints } of sandboxes.list())
          for (const { networkId, address, addressIPv6, macAddress } of endpoints) {
            if (networkId !== network.id) continue;
            const addresses = { ipv4: address, ipv6: addressIPv6 };
            await replayAddresses(driver, network, addresses, requiresMacAddress ? macAddress : '');
          }
      }
    } catch (error) {
      this.log.warn('what is on record could not be entered into an address driver', {
        driver: name,
        error: errorMessage(error),
      });
    }
  }
}
