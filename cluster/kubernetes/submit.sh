#!/bin/sh
# submit.sh THREADS MEGABYTES MINUTES GPUS JOBSCRIPT: one job of the graph as a Kubernetes Job; prints its name.
set -eu
threads=$1 memory=$2 minutes=$3 gpus=$4 script=$5

: "${QRLIB_IMAGE:?set QRLIB_IMAGE to the image that the Dockerfile makes}"
: "${QRLIB_CLAIM:?set QRLIB_CLAIM to a PersistentVolumeClaim that holds the checkout}"
: "${QRLIB_VOLUME:?set QRLIB_VOLUME to the path where the claim is mounted}"

# Kubernetes hands out GPUs by limits, and none where none is named.
gpu_limit=
if [ "$gpus" -gt 0 ]; then gpu_limit="nvidia.com/gpu: \"$gpus\""; fi

# Of memory no more than is asked for: another attempt asks for more.  Snakemake sees to attempts, and the
# time limit is of the pod, which does not count the waiting for one.
kubectl create -o name -f - <<YAML | sed 's,.*/,,'
apiVersion: batch/v1
kind: Job
metadata:
  generateName: qrlib-
  labels: {app: qrlib}
spec:
  backoffLimit: 0
  ttlSecondsAfterFinished: 86400
  template:
    metadata:
      labels: {app: qrlib}
    spec:
      restartPolicy: Never
      activeDeadlineSeconds: $((minutes * 60))
      containers:
        - name: run
          image: "$QRLIB_IMAGE"
          workingDir: "$PWD"
          command: ["/bin/sh", "$script"]
          resources:
            requests: {cpu: "$threads", memory: "${memory}M"}
            limits:
              memory: "${memory}M"
              $gpu_limit
          volumeMounts:
            - {name: project, mountPath: "$QRLIB_VOLUME"}
            - {name: shared-memory, mountPath: /dev/shm}
      volumes:
        - name: project
          persistentVolumeClaim: {claimName: "$QRLIB_CLAIM"}
        - name: shared-memory
          emptyDir: {medium: Memory}
YAML
