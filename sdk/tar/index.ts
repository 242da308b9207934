export type { SparseMap, SparseSegment } from './sparse-map';
export { encodeTarHeader, tarPadding, tarTrailer } from './tar-encoder';
export { blockSize, type TarEntryType, type TarHeader } from './tar-header';
export { type TarHandler, TarReader } from './tar-reader';
