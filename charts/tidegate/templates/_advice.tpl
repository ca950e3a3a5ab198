{{/* Seconds of a value like 240s or 4m; nothing where it is neither. */}}
{{- define "tidegate.seconds" -}}
{{- $text := include "tidegate.text" . -}}
{{- if regexMatch "^[0-9]+s?$" $text -}}
{{- trimSuffix "s" $text -}}
{{- else if regexMatch "^[0-9]+m$" $text -}}
{{- mul 60 (trimSuffix "m" $text | int) -}}
{{- end -}}
{{- end -}}

{{/* How long a Pod may take to leave: what it is told by values; nothing where that cannot be said. */}}
{{- define "tidegate.leaving" -}}
{{- $flags := include "tidegate.flags" . | fromJson -}}
{{- $drain := include "tidegate.seconds" (default "240s" (get (default dict .Values.controller.config) "worker-shutdown-timeout")) -}}
{{- $grace := include "tidegate.seconds" (get $flags "shutdown-grace-period") -}}
{{- $after := include "tidegate.seconds" (default 0 (get (include "tidegate.flags.extra" . | fromJson) "post-shutdown-grace-period")) -}}
{{- if and $drain $grace $after -}}
{{- add (int $drain) (int $grace) (int $after) -}}
{{- end -}}
{{- end -}}

{{/* What an operator should know about these values. */}}
{{- define "tidegate.advice" -}}
{{- $controller := .Values.controller -}}
{{- if and .Release.IsUpgrade (not $controller.scope.enabled) (not (.Capabilities.APIVersions.Has "tidegate.dev/v1alpha1")) }}

This cluster has no IngressClassParameters (settings of a class): helm upgrade makes no CustomResourceDefinitions. To have them:

  kubectl apply -f charts/tidegate/crds
{{- end }}
{{- if and .Values.rbac.create (eq "true" (include "tidegate.chosen" .)) }}

The namespaces that controller.scope.namespaceSelector chooses are served once this was done in each:

  kubectl create rolebinding {{ include "tidegate.fullname" . }} --namespace NAMESPACE --clusterrole={{ include "tidegate.fullname" . }}-chosen --serviceaccount={{ include "tidegate.namespace" . }}:{{ include "tidegate.serviceAccountName" . }}
{{- end }}
{{- $leaving := include "tidegate.leaving" . -}}
{{- $grace := int $controller.terminationGracePeriodSeconds -}}
{{- if and $leaving (gt (int $leaving) $grace) }}

A Pod that is told to leave may take {{ $leaving }} s until its last connections are done, and has {{ $grace }} s
(controller.terminationGracePeriodSeconds): what is not done then is cut off.
{{- end }}
{{- $probe := $controller.readinessProbe }}
{{- if ne "/readyz" (toString (default "/readyz" ($probe.httpGet).path)) }}

controller.readinessProbe asks for {{ $probe.httpGet.path }}; the probe is /readyz nevertheless: /healthz only says that the process
is alive, and a new Pod would get traffic before it serves anything. Your timings are kept.
{{- end }}
{{- with include "tidegate.weakened" . }}

controller.containerSecurityContext and controller.image make the containers less closed than they are by default:
{{ . }}. Tidegate needs none of it.
{{- end }}
{{- if $controller.hostNetwork }}

On the node's own network, this release takes the ports {{ include "tidegate.ports.taken" . }}.
{{- if and $controller.split (eq "10255" (toString $controller.metrics.controllerPort)) }} 10255 is also the kubelet's
where its read-only port is open: move controller.metrics.controllerPort there.
{{- end }}
{{- if include "tidegate.lowPorts" . }} Ports below 1024 need an image whose
file has the capability NET_BIND_SERVICE (make image and the Dockerfile give it), and a node that honours it: not one that
runs containers in a user namespace or has their files on a volume without extended attributes.
{{- end }}
{{- if eq $controller.dnsPolicy "ClusterFirst" }}
Names of the cluster are not known there with controller.dnsPolicy=ClusterFirst; ClusterFirstWithHostNet knows them.
{{- end }}
{{- end }}
{{- if and $controller.split (or $controller.extraContainers $controller.extraInitContainers) .Values.serviceAccount.automountServiceAccountToken }}

controller.extraContainers and .extraInitContainers get no token of the account: only the controller has it. One that needs
it mounts the volume kube-api-access at /var/run/secrets/kubernetes.io/serviceaccount.
{{- end }}
{{- $placement := tpl (toYaml (dict "a" $controller.affinity "b" $controller.topologySpreadConstraints)) . }}
{{- if and (contains "ingress-nginx" $placement) (ne (include "tidegate.name" .) "ingress-nginx") }}

controller.affinity or .topologySpreadConstraints names Pods of ingress-nginx by their labels. These Pods have
app.kubernetes.io/name={{ include "tidegate.name" . }} and app.kubernetes.io/instance={{ .Release.Name }}.
{{- end }}
{{- with include "tidegate.apart" . }}

controller.affinity.podAntiAffinity {{ . }} no two of these Pods be on one node, and an update makes a new one before it takes an
old one away: with as many Pods as there are nodes for them it waits for ever. Have a node more
{{- if lt (include "tidegate.fewest" $controller | int) 2 }}.{{ else }}, or let a Pod leave first:

  --set controller.updateStrategy.type=RollingUpdate,controller.updateStrategy.rollingUpdate.maxUnavailable=1,controller.updateStrategy.rollingUpdate.maxSurge=0
{{- end }}
{{- end }}
{{- if and $controller.admissionWebhooks.enabled (not $controller.admissionWebhooks.certManager.enabled) }}

The webhook's certificate is in Secret {{ include "tidegate.admission.name" . }}, for ten years, and is kept by upgrades.
Where charts are rendered without a cluster (helm template, GitOps) each rendering makes another one: let cert-manager
make it there.
{{- end }}
{{- end -}}
