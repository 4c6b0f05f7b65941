"""An OpenAI-compatible provider with no model inside, so that everything runs, and can be measured, on a fresh machine.

How it works, in the order of a request:

1. `requests` refuses what OpenAI would refuse; `faults` decides whether this request is to fail, and how.
2. `prompts` reads the messages: the task (`families` can read their own tasks back), what the system text states
   (`guidance`), what earlier examples show, what the user has corrected.
3. `skills` draws how the model behaves: which hidden rules (`rules`) it follows, whether it gets the task right.
4. The family writes the answer, `wire` puts it into OpenAI's shapes, `app` sends it as slowly as the model is.

All randomness is keyed by the world's seed and the content of the request. Nothing outside this package reads the
hidden truth, except `tasks` (an application's own check of the answers it gets) and reports that say so.
"""
