import { expect, it } from "vitest";
import { slots } from "../../../store/registry/slots.ts";

it("gives places in the order of asking", async () => {
  const places = slots(2);
  const leaveFirst = await places.take();
  const leaveSecond = await places.take();
  const order: string[] = [];
  const third = places.take().then((leave) => {
    order.push("third");
    leave();
  });
  const fourth = places.take().then((leave) => {
    order.push("fourth");
    leave();
  });
  leaveFirst();
  await Promise.all([third, fourth]);
  leaveSecond();
  expect(order).toEqual(["third", "fourth"]);
});

it("counts a place that is given up twice once", async () => {
  const places = slots(1);
  const leave = await places.take();
  leave();
  leave();
  await places.take();
  let admitted = false;
  const waiting = places.take().then(() => {
    admitted = true;
  });
  await new Promise(setImmediate);
  expect(admitted).toBe(false);
  leave();
  await new Promise(setImmediate);
  expect(admitted).toBe(false);
  void waiting;
});

it("lets whoever waits go away", async () => {
  const places = slots(1);
  const leave = await places.take();
  const controller = new AbortController();
  const reason = new Error("cancelled");
  const waiting = places.take({ signal: controller.signal });
  const next = places.take();
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  leave();
  (await next)();
  await expect(places.take({ signal: controller.signal })).rejects.toBe(reason);
});
