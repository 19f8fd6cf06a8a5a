"""Labels, annotations, variables and paths that aiowf puts on workflows and pods.

They are the wire format between a client, the pods of its workflows and a later client that
attaches to them; docs/wire.md tells them field by field.
"""

# Labels of a workflow.
SESSION = "aiowf.dev/session"  # the client that submitted it: one watch serves a session
IDEMPOTENCY_KEY = "aiowf.dev/idempotency-key"  # tells our own workflow from another of that name
OPERATION_ID = "aiowf.dev/operation-id"  # also on its pods, where AIOWF_OPERATION_ID reads it

# Annotations of a workflow.
DURABLE_ID = "aiowf.dev/id"  # the `id` of execute(), as given
REPLY_TOPIC = "aiowf.dev/reply-topic"
REPLY_PARTITION = "aiowf.dev/reply-partition"
REPLY_OFFSET = "aiowf.dev/reply-offset"
REPLY_LOG = "aiowf.dev/reply-log"  # which log that offset is a place in: cluster id/topic id

# Argo's own labels.
ARGO_WORKFLOW = "workflows.argoproj.io/workflow"
ARGO_PHASE = "workflows.argoproj.io/phase"
ARGO_COMPLETED = "workflows.argoproj.io/completed"
ARGO_ON_EXIT = "workflows.argoproj.io/on-exit"
ARGO_NODE_NAME = "workflows.argoproj.io/node-name"  # annotation of a pod

# Environment variables of a pod.
ENV_WORKFLOW_NAME = "AIOWF_WORKFLOW_NAME"
ENV_OPERATION_ID = "AIOWF_OPERATION_ID"
ENV_TASK = "AIOWF_TASK"
ENV_SHARED_DIRECTORY = "shared_directory"
ENV_DIRECTORY = "AIOWF_DIR"  # stands for POD_DIRECTORY where pods have no file system of their own
ENV_TERMINATION_LOG = "AIOWF_TERMINATION_LOG"  # likewise for /dev/termination-log
ENV_REPLY_SOCKET = "AIOWF_REPLY_SOCKET"  # Unix socket of the embedded engine
ENV_REPLY_URL = "AIOWF_REPLY_URL"  # the same over TCP
ENV_REPLY_TOKEN = "AIOWF_REPLY_TOKEN"
ENV_REPLY_TOPIC = "AIOWF_REPLY_TOPIC"
ENV_REPLY_PARTITION = "AIOWF_REPLY_PARTITION"  # of that topic; not set: any
ENV_REPLY_VALUE_PATH = "AIOWF_REPLY_VALUE_PATH"  # PUT and GET values too large for a parameter here
ENV_REPLY_KEY = "AIOWF_REPLY_KEY"
ENV_REPLY_CLIENT = "AIOWF_REPLY_CLIENT"  # Python code by which scripts speak to Kafka
ENV_RESULTS_PATH = "AIOWF_RESULTS_PATH"  # without a reply channel files are written here

# Files in a pod: our scripts read their inputs and write their outputs below this directory.
POD_DIRECTORY = "/tmp/aiowf"
# What sends notices and results on the embedded engine: its own Python. No such image is published.
ENGINE_RUNTIME_IMAGE = "aiowf-runtime"
TERMINATION_LOG = "/dev/termination-log"

# Output parameters of our templates (the files have the same names below POD_DIRECTORY).
OUTPUT_RETURN = "return"  # JSON of the return value
OUTPUT_RETURN_ENV = "return-env"  # the same, raw, encoded for an environment variable
OUTPUT_STDOUT = "stdout"
OUTPUT_STDOUT_ENV = "stdout-env"
OUTPUT_FILES = "files"  # the files of the shared directory, where there is no reply channel

# Input parameters of a template that several tasks share, because they differ in their arguments.
PARAMETER_TASK = "task"  # the task's name
PARAMETER_CALL = "call"  # its arguments, JSON

# A parameter holds at most this many bytes; a larger value travels by the reply channel.
MAX_PARAMETER_BYTES = 256 * 1024
LARGE_VALUE = "aiowf.dev/value"  # key of the marker that stands in for such a value

# Parameter of a workflow: what ENV_REPLY_CLIENT holds, once for all its pods.
PARAMETER_REPLY_CLIENT = "aiowf-reply-client"
