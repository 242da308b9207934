import { randomInt } from 'node:crypto';
import { invalidParameter } from '@gantry/sdk';

const NAME = /^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

const adjectives =
  'able amber ample apt astute balanced bold brave breezy bright brisk calm candid careful cheerful clear clever ' +
  'cosy crisp curious daring dapper deft direct eager earnest easy fair fancy fine firm fleet fond frank fresh ' +
  'friendly gentle glad golden graceful grand handy happy hardy helpful honest humble jolly keen kind lively loyal ' +
  'lucid lucky mellow merry mighty modest neat nimble noble open patient peaceful placid plucky polite prompt proud ' +
  'quick quiet ready refined robust rosy serene sharp silent sincere smart snug sober solid spry stable steady ' +
  'stoic sturdy subtle sunny swift tender thrifty tidy tranquil trusty upbeat valiant vivid warm wise witty zesty';

const surnames =
  'abel ampere archimedes babbage bell bernoulli bessel bohr boole boyle brahe cantor carson cauchy cavendish celsius ' +
  'copernicus coulomb curie darwin davy descartes diesel dirac doppler edison einstein erdos euclid euler faraday ' +
  'fermat fermi feynman fourier franklin galileo galois gauss germain goedel hamilton heisenberg henry herschel ' +
  'hertz hilbert hooke hopper hubble huygens jacobi joule kelvin kepler kirchhoff knuth lagrange laplace lavoisier ' +
  'leibniz lovelace mach maxwell meitner mendel mendeleev morse napier newton nobel noether ohm pascal pasteur ' +
  'pauli planck poincare ptolemy pythagoras ramanujan riemann roentgen rutherford shannon siemens stokes tesla ' +
  'thales torricelli turing volta watt weber weierstrass zuse';

const firstWords = adjectives.split(' ');
const secondWords = surnames.split(' ');

/** `adjective_surname` that `taken` does not know; a digit is added when luck runs out. */
export function generateName(taken: (name: string) => boolean): string {
  for (let attempt = 0; attempt < 6; attempt++) {
    const name = `${firstWords[randomInt(firstWords.length)]}_${secondWords[randomInt(secondWords.length)]}`;
    if (!taken(name)) return name;
  }
  for (;;) {
    const name = `${firstWords[randomInt(firstWords.length)]}_${secondWords[randomInt(secondWords.length)]}${randomInt(100000)}`;
    if (!taken(name)) return name;
  }
}

/** @returns the name without its leading slash. @throws invalid-parameter */
export function checkName(name: string): string {
  if (!NAME.test(name))
    throw invalidParameter(`Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  return name.startsWith('/') ? name.slice(1) : name;
}
