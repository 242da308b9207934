export * from './write-file-durably';
