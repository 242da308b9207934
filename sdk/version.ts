/** The SDK version a plugin's `engine` range is checked against. */
export const sdkVersion = '0.1.0';
