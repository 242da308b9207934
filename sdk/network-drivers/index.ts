export { createOnlyNetworkDriver } from './only-network';
