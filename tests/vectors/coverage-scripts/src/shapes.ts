export interface Shape {
  kind: 'square' | 'circle';
  size: number;
}

export function area(s: Shape): number {
  switch (s.kind) {
    case 'square':
      return s.size ** 2;
    default:
      return Math.PI * s.size ** 2;
  }
}

export function unused(): void {
  console.log('never');
}
