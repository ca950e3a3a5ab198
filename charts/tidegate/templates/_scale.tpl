{{/* The fewest Pods that there may be: {replicaCount, autoscaling, keda?}. */}}
{{- define "tidegate.fewest" -}}
{{- if (.keda).enabled -}}
{{- .keda.minReplicas -}}
{{- else if .autoscaling.enabled -}}
{{- .autoscaling.minReplicas -}}
{{- else -}}
{{- .replicaCount -}}
{{- end -}}
{{- end -}}

{{/* The spec of a PodDisruptionBudget: (values of the workload, labels of its Pods). */}}
{{- define "tidegate.disruption" -}}
{{- $values := first . -}}
{{- if hasKey $values "maxUnavailable" -}}
maxUnavailable: {{ $values.maxUnavailable }}
{{- else -}}
minAvailable: {{ $values.minAvailable }}
{{- end }}
{{- with $values.unhealthyPodEvictionPolicy }}
unhealthyPodEvictionPolicy: {{ . }}
{{- end }}
selector:
  matchLabels: {{- last . | nindent 4 }}
{{- end -}}

{{/* The spec of a HorizontalPodAutoscaler: (its values, name of the Deployment, further metrics). */}}
{{- define "tidegate.autoscaler" -}}
{{- $values := first . -}}
scaleTargetRef:
  apiVersion: apps/v1
  kind: Deployment
  name: {{ index . 1 }}
minReplicas: {{ $values.minReplicas }}
maxReplicas: {{ $values.maxReplicas }}
metrics:
  {{- range $resource, $target := dict "cpu" $values.targetCPUUtilizationPercentage "memory" $values.targetMemoryUtilizationPercentage }}
  {{- with int $target }}
  - type: Resource
    resource:
      name: {{ $resource }}
      target:
        type: Utilization
        averageUtilization: {{ . }}
  {{- end }}
  {{- end }}
  {{- with last . }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.behavior }}
behavior: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
