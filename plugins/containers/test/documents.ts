import { type ContainerConfig, configDocument, type HostConfig, hostConfigDocument } from '../config/container-config';

/** A container configuration with the zero values of the API where nothing is given. */
export const config = (given: object = {}): ContainerConfig => configDocument.decode(given, '');
export const hostConfig = (given: object = {}): HostConfig => hostConfigDocument.decode(given, '');
