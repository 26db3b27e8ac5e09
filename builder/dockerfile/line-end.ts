/** A line without the carriage returns at its end. A loop: a pattern would look at each run of them again from each of its characters. */
export function withoutCarriageReturns(line: string): string {
  let end = line.length;
  while (line.charCodeAt(end - 1) === 0x0d) end--;
  return line.slice(0, end);
}
