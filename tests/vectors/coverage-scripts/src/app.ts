import { area, Shape } from './shapes';

type Event = { shape: Shape };

export const handler = async (event: Event): Promise<number> => {
  if (!event.shape) {
    throw new Error('no shape');
  }
  return area(event.shape);
};
