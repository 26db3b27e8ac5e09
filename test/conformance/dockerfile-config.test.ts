import { testTopic } from "../support/dockerfile-cases/topic.ts";

testTopic("config");
