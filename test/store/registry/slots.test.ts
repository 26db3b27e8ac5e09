import { expect, it } from "vitest";
import { slots, slotsOfServers } from "../../../store/registry/slots.ts";

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

it("has places for each server and direction", () => {
  const of = slotsOfServers(1);
  const one = of({ origin: "https://one.example" });
  expect(one.download).not.toBe(one.upload);
  expect(of({ origin: "https://one.example" })).toBe(one);
  expect(of({ origin: "https://one.example:5000" })).not.toBe(one);
  // Until it is known what it speaks, a server may have both.
  expect(of({ origin: "http://one.example:5000" })).toBe(of({ origin: "https://one.example:5000" }));
});
